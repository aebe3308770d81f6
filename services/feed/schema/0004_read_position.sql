-- Down from where somebody has read a timeline: 1 is home. It moves forward only.
CREATE TABLE read_position (
  viewer_id BIGINT UNSIGNED NOT NULL,
  timeline TINYINT UNSIGNED NOT NULL,
  activity_id BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (viewer_id, timeline)
);
