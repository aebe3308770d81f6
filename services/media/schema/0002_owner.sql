-- What is somebody's, by what it was claimed for.
CREATE INDEX by_owner ON media (owner_id, attachment);
