-- When a tombstone was made; rows that were deleted before this column came have none.
ALTER TABLE post ADD COLUMN delete_time TIMESTAMP(3) NULL DEFAULT NULL;
