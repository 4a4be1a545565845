"""``python -m polymm_tui``."""

from polymm_tui.cli import main

raise SystemExit(main())
