-- Counts of saves are held to the rows; without this each time by all rows there are.
ALTER TABLE save ADD KEY of_post (post_id, saved);
