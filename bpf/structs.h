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
	WAITING, /* not counted: a SYN that found max_conns reached at egress */
	STATES
};

/* Why a connection ended; the numbers are those of nat/connection.py Ending. */
enum ending { GOES_ON, FINS, RESET_BY_CLIENT, RESET_BY_SERVER, SYN_TIMEOUT, FIN_TIMEOUT, IDLE_TIMEOUT, INSPECTION, CLEARED, REPLACED };

/* Which limit refused a SYN; the numbers are those of nat/connection.py Limit. */
enum refusal { ADMITTED, MAX_CONNS, EMBRYONIC, REFUSALS };

/* Who sent a packet: indexes of the arrays in struct conn. */
enum side { CLIENT, SERVER };

/* Bits of struct conn's flags; FIN_FROM and DATA_FROM are shifted by a side. */
#define FIN_FROM 0x01
#define DATA_FROM 0x04
#define BYPASS 0x10
#define INTERCEPTED 0x20 /* SYNPROXY opened it towards the server */

/* What a connection to a static is known by, on either side of the translation. */
struct conn_key {
	__be32 mapped;
	__be32 client;
	__be16 port;
	__be16 client_port;
};

/* One connection; 48 octets, of which `lock` guards all others. */
struct conn {
	struct bpf_spin_lock lock;
	u8 state;
	u8 flags;
	u16 tag; /* of its key: under the lock it tells a hash element that was reused meanwhile */
	__be32 real;
	u32 started; /* ticks */
	u32 last; /* ticks, of the last packet forwarded */
	u32 next[2]; /* by side: the sequence number behind what it has sent, its FIN included */
	u32 acked[2]; /* by side: the highest acknowledgment it has sent */
	u32 delta; /* of one intercepted: the server's numbers as its client counts them, less the server's own */
	u64 octets; /* of payload, both sides */
};

/* The limits of a static; 0 is unlimited. */
struct limit {
	u32 max_conns;
	u32 max_embryonic;
};

/* The places taken at a static, guarded by `lock`, and the SYNs that found a limit reached. */
struct count {
	struct bpf_spin_lock lock;
	u32 total;
	u32 embryonic;
	u32 most; /* the highest total there was */
	u64 refused_max;
	u64 refused_embryonic; /* intercepted, if they were plain ones */
	u32 told[REFUSALS]; /* ticks, by refusal: when the last event spoke of it */
};

/* The face of a static at one interface: its mapped address outside, its real one inside. */
struct face_key {
	u32 ifindex;
	__be32 address;
};

struct face {
	__be32 mapped;
	__be32 real;
	u32 opposite; /* the interface of the other face */
	u32 side; /* whose packets come in here: CLIENT at the mapped address, SERVER at the real one */
};

/* What the program is told. */
struct settings {
	s64 clock_offset; /* ns, added to the kernel's clock; for tests */
	u32 workers;
	u32 timeout[STATES]; /* ticks, by state */
};

/* What the program counts of itself. */
struct totals {
	u64 lost_events;
	u64 table_full;
};

enum event_kind { BUILT, TORN_DOWN, REFUSED, STRANDED };

/* One event; flat and of plain types, because bcc reads no other out of a ring. Times are ns; network order as above. */
struct event {
	u64 time;
	u64 started;
	u64 octets;
	u32 mapped;
	u32 client;
	u16 port;
	u16 client_port;
	u32 real;
	u32 kind;
	u32 why; /* an ending or a refusal */
	u32 count;
	u32 limit;
	u32 seq; /* of one stranded: the number its client expects next */
	u32 ack; /* of one stranded: the number its client sends next */
};

/* What `reap` is asked to do with the keys behind this header. */
enum order { SWEEP, KILL, RELEASE, CLEAR };

struct orders {
	u8 ethernet[14]; /* a test run's packet must begin with one */
	u16 order;
	struct conn_key keys[];
};

#endif
