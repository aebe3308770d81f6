-- Which posts name a person, newest first.
ALTER TABLE post_mention ADD KEY by_user (user_id, post_id);
