-- What the operator set while it runs; without a row a setting has its default.
CREATE TABLE setting (
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  value BIGINT UNSIGNED NOT NULL
);
