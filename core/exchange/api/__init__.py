"""The exchange on the wire: CLOB REST, both channels, Gamma, Data API, and the admin door for tests."""
