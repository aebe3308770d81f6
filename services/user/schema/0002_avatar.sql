-- Somebody's picture as it was when they chose it, as JSON (skein.media.v1.Media): a read asks nobody else.
ALTER TABLE user ADD COLUMN avatar TEXT NULL;
