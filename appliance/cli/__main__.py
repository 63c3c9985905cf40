"""``python -m appliance.cli``: the same as ``fixup``."""

import sys

from appliance.cli.main import main

sys.exit(main())
