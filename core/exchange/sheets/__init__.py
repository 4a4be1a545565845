"""A Google Sheets that holds one spreadsheet: what its cells are, who may read it."""
