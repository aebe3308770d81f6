-- Counts the changes of a draft: the version of its facts.
ALTER TABLE draft ADD COLUMN version INT UNSIGNED NOT NULL DEFAULT 1;
