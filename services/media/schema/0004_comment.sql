-- The comment that it is part of; then post_id is the post that this stands under, with which it goes.
ALTER TABLE media ADD COLUMN comment_id BIGINT UNSIGNED NULL DEFAULT NULL, ADD KEY by_comment (comment_id);
