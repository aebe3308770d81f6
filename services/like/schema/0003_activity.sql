-- When a person's reaction came to be, as `reaction_of` has it, so that their own list is one range a way, latest first.
ALTER TABLE reaction
  ADD COLUMN like_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
  ADD KEY own_latest (user_id, subject_kind, reaction, like_id);

UPDATE reaction r
  JOIN reaction_of o ON o.subject_id = r.subject_id AND o.subject_kind = r.subject_kind AND o.user_id = r.user_id
  SET r.like_id = o.like_id;
