-- What stands in a text (Facets of the contract): found when it is written; NULL where there is nothing.
ALTER TABLE comment ADD COLUMN facets MEDIUMBLOB NULL DEFAULT NULL;
