-- Posts with media, under their authors: written with the post, gone with it.
CREATE TABLE post_media (
  author_id BIGINT UNSIGNED NOT NULL,
  post_id BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (author_id, post_id)
);

-- Those of before. In a PostContent media are field 40 (bytes C2 02), a length, and first of all an id in digits (field 1).
INSERT INTO post_media (author_id, post_id)
SELECT author_id, id FROM post
WHERE deleted = 0 AND content IS NOT NULL AND HEX(content) REGEXP 'C202([0-9A-F]{2}){1,3}0A1[0-3](3[0-9]){16}';

-- Everybody's posts that are for everybody, newest last: a page is one range of it, and no row is looked at.
ALTER TABLE post ADD KEY for_everybody (audience, deleted, id, reply_setting, author_id);
