-- The media of a post as they were when it was made, as JSON (skein.media.v1.Media): a read asks nobody else.
ALTER TABLE post ADD COLUMN media MEDIUMTEXT NULL;
