-- What a comment shows beside its text (CommentMedia of the contract); NULL where there is nothing.
ALTER TABLE comment ADD COLUMN media BLOB NULL DEFAULT NULL;
