/* What the connection table holds. Addresses and ports are in network order, sequence numbers in host order. */
#ifndef FIXUP_STRUCTS_H
#define FIXUP_STRUCTS_H

/* A tick is 2^23 ns (8.4 ms), so that 32 bits hold 417 days; only differences of ticks mean anything. */
#define TICK_SHIFT 23
#define SECOND (1000000000 >> TICK_SHIFT)

/* The states of an entry; the numbers are those of nat/connection.py State. */
enum conn_state {
	CLOSED, /* a tombstone: given back, about to be deleted */
	SYN, /* counted, embryonic: the client's SYN was forwarded */
	SYN_ACK, /* embryonic: the server's answer was forwarded */
	ESTABLISHED, /* the client's ACK of it was forwarded */
	HALF_CLOSED, /* one FIN was forwarded */
	CLOSING, /* both FINs were forwarded, not both acknowledged */
	DEAD, /* closed by inspection: nothing passes, the place is held */
	WAITING, /* not counted: a SYN that found a limit of connections reached at egress */
	STATES, /* of a connection */
	ALIAS = STATES /* of other ends of one, by which it is known beyond a translation */
};

/* Why a connection ended; the numbers are those of nat/connection.py Ending. */
enum ending { GOES_ON, FINS, RESET_BY_CLIENT, RESET_BY_SERVER, SYN_TIMEOUT, FIN_TIMEOUT, IDLE_TIMEOUT, INSPECTION, CLEARED, REPLACED };

/* Which limit refused a SYN; the numbers are those of nat/connection.py Limit. */
enum refusal { ADMITTED, MAX_CONNS, EMBRYONIC, CLIENT_MAX, CLIENT_EMBRYONIC, REFUSALS };

/* Who sent a packet: indexes of the arrays in struct conn. */
enum side { CLIENT, SERVER };

#define UNLIMITED 0

/* Bits of struct conn's flags; FIN_FROM and DATA_FROM are shifted by a side. */
#define FIN_FROM 0x01
#define DATA_FROM 0x04
#define BYPASS 0x10
#define INTERCEPTED 0x20 /* SYNPROXY opened it towards the server */
#define CLIENT_HIGH 0x40 /* the client is the higher end of the key */
#define PER_CLIENT 0x80 /* it holds a place among its client's */
#define RENAMED 0x100 /* one of its ends is known otherwise at the other side, as no static says: there is an ALIAS of it */
#define INSPECTED 0x200 /* what was forwarded of it carries a class that inspects */
#define CALLED 0x400 /* of one RENAMED: that end is its server, as its client calls it; else its client */
#define TOLD_OF 0x800 /* something is in its way, and user space was told since the last sweep */

/* Where the port is that stands above the octets of struct conn. */
#define PORT_SHIFT 48

/* One end of a connection. */
struct end {
	__be32 address;
	__be16 port;
};

/* What a connection is known by wherever it is met: its ends by their real addresses, the higher one second. */
struct conn_key {
	__be32 low;
	__be32 high;
	__be16 low_port;
	__be16 high_port;
};

/* One connection; 48 octets, of which `lock` guards all others. */
struct conn {
	struct bpf_spin_lock lock;
	u8 state;
	u8 tag; /* of its key: under the lock it tells a hash element that was reused meanwhile */
	u16 flags;
	u16 number; /* of the static its client called, 0 for none: it holds a place there */
	u16 klass; /* the class that limits it, 0 for none: it holds a place among those to its server */
	u32 started; /* ticks */
	u32 last; /* ticks, of the last packet forwarded */
	u32 next[2]; /* by side: the sequence number behind what it has sent, its FIN included */
	u32 acked[2]; /* by side: the highest acknowledgment it has sent */
	union {
		u32 delta; /* of one intercepted: the server's numbers as its client counts them, less the server's own */
		__be32 other; /* of one RENAMED: an end's address at the other side; of its ALIAS: that end's own */
	};
	u64 octets; /* of payload, both sides; from PORT_SHIFT on the port that belongs to `other` */
};

/* A static: its addresses, its ports if it is of one alone, and its limits, of which 0 is unlimited. That of number 0, which
 * is none, has neither. */
struct limit {
	__be32 mapped;
	__be32 real;
	__be16 mapped_port;
	__be16 real_port;
	u32 max_conns;
	u32 max_embryonic;
	u32 own; /* what comes there is not intercepted */
};

/* The places taken at a static, guarded by `lock`, and the SYNs that found a limit reached. Row 0 is of those that called
 * none: it has `intercepted` and `cookie` alone. */
struct count {
	struct bpf_spin_lock lock;
	u32 total;
	u32 embryonic;
	u32 most; /* the highest total there was */
	u64 refused_max;
	u64 refused_embryonic; /* intercepted, if they were plain ones */
	u64 intercepted; /* SYNs left to SYNPROXY, whichever limit said so */
	u32 cookie; /* ticks: when a SYN was last left to SYNPROXY; 0 is never */
	u32 told[REFUSALS]; /* ticks, by refusal: when the last event spoke of it */
};

/* A class of a policy map that limits connections. 0 is unlimited, a timeout of 0 that of the settings. */
struct class {
	u32 name; /* a hash of its names, by which user space finds it again */
	u32 max_conns; /* to each server */
	u32 max_embryonic;
	u32 client_max; /* of each client */
	u32 client_embryonic;
	u32 resets; /* both ends of a connection that was idle for too long */
	u32 timeout[STATES]; /* ticks, by state */
};

/* The SYNs that found a limit of a class reached, by refusal. */
struct refused {
	u64 count[REFUSALS];
	u32 told[REFUSALS]; /* ticks: when the last event spoke of it */
};

/* Whose connections of a class are counted together. */
enum scope { TO_SERVER, FROM_CLIENT };

struct share_key {
	u16 klass;
	u16 scope;
	__be32 address;
};

/* The places that one server's or one client's connections of a class take; it is there while there are any. */
struct share {
	struct bpf_spin_lock lock;
	struct share_key key; /* under the lock it tells an element that was reused; of class 0: about to be deleted */
	u32 total;
	u32 embryonic;
};

/* One line of what the classes match: tried in turn on a connection's first packet, on real addresses. */
struct rule {
	__be32 source;
	__be32 source_mask;
	__be32 destination;
	__be32 destination_mask;
	u16 source_ports[2]; /* lowest and highest, host order */
	u16 destination_ports[2];
	u8 source_but; /* any port but these */
	u8 destination_but;
	u16 klass; /* what it is then, 0 for what the class denies */
	u32 ifindex; /* of an interface's policy, 0 for the global one */
	u32 otherwise; /* where to go on behind a denial */
};

/* What no translation changes of a SYN. */
struct note_key {
	u32 seq;
	u16 id; /* of the IP header */
	u16 window;
};

/* A SYN as it came in, its receiver by its real address if a static says which that is. */
struct note {
	__be32 sender;
	__be32 receiver;
	__be16 sender_port;
	__be16 receiver_port;
	u32 named; /* the static by which the receiver was called */
	u32 since; /* ticks */
};

/* Ticks: how long a note is good for, far beyond what a SYN waits for its worker. */
#define NOTE_AGE (10 * SECOND)

/* An interface of ours; of one that is CHOOSING, some that connect from there are translated as no static says, or call a
 * server that is, and their SYNs are noted. */
enum interface { PLAIN = 1, CHOOSING };

/* What stands for an address, or for a port of it, at an interface: `peer` is 0 for a mapped one, and for a real one the
 * interface that its packets come from or, for the firewall's own packets, OURSELVES. */
#define OURSELVES 0xffffffff

struct face_key {
	u32 ifindex;
	__be32 address;
	u32 peer;
	u32 port; /* network order; 0 is the address as a whole */
};

/* The static whose face it is. */
struct face {
	__be32 real;
	u32 port; /* network order; 0: as it is called */
	u32 number; /* 0: of no static as a whole */
	u32 opposite; /* the interface of its other face */
	u32 by_port; /* ports of it have faces of their own, which go before */
};

/* A way from one interface to another that is more secure: hosts there are called by their own address, too, and SYNs to
 * them that find a class's limit of half-open connections reached are left to SYNPROXY. */
struct way {
	u32 came_in;
	u32 goes_out;
};

/* What the program is told. */
struct settings {
	s64 clock_offset; /* ns, added to the kernel's clock; for tests */
	u32 workers;
	u32 first_rule; /* those in force: from this one */
	u32 last_rule; /* to before this one */
	u32 ways; /* whether there are any */
	u64 mapped; /* a bit by an address's last six: whether a mapped address ends so */
	u32 timeout[STATES]; /* ticks, by state */
};

/* Ticks: how long the server may take to answer SYNPROXY before it is asked again. */
#define PATIENCE SECOND

/* Ticks: how long a cookie is good for, at most (Linux, net/ipv4/syncookies.c: 2 periods of 60 s). */
#define COOKIE_AGE (120 * SECOND)

/* What the program counts of itself. */
struct totals {
	u64 lost_events;
	u64 table_full;
	u64 shares_full;
};

enum event_kind { BUILT, TORN_DOWN, REFUSED, STRANDED, EXPIRED, UNANSWERED, OBSTRUCTED };

/* One event; flat and of plain types, because bcc reads no other out of a ring. Times are ns; network order as above. */
struct event {
	u64 time;
	u64 started;
	u64 octets;
	u32 mapped; /* the server as its client calls it */
	u32 client;
	u16 port;
	u16 client_port;
	u32 real;
	u32 beyond; /* the client as its server knows it, 0 for the same */
	u16 real_port;
	u16 beyond_port;
	u32 kind;
	u32 why; /* an ending or a refusal */
	u32 count;
	u32 limit;
	u32 seq; /* of one stranded, expired or unanswered: the number its client expects next; obstructed: its server */
	u32 ack; /* and the number its client sends next; obstructed: its server */
};

/* What `reap` is asked to do with the keys behind this header. */
enum order { SWEEP, KILL, RELEASE, CLEAR, WORKER, JOIN };

struct orders {
	u8 ethernet[14]; /* a test run's packet must begin with one */
	u16 order;
	struct conn_key keys[];
};

#endif
