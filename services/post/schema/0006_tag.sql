-- Which posts have a tag, by tag, newest last. A row is there while the version that stands has the tag.
CREATE TABLE post_tag (
  tag VARCHAR(100) NOT NULL,
  post_id BIGINT UNSIGNED NOT NULL,
  author_id BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (tag, post_id)
);

-- The post an author shows above the others.
CREATE TABLE pin (
  author_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  post_id BIGINT UNSIGNED NOT NULL
);
