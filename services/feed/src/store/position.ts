import { bigintOf, type Statements } from "#lib/storage/mysql.ts";

/** The timelines that have positions. */
const home = 1;

/** Down from where a viewer has read their home feed; undefined where they never said. */
export async function readPosition(db: Statements, viewerId: bigint): Promise<bigint | undefined> {
  const [row] = await db.query("SELECT activity_id FROM read_position WHERE viewer_id = ? AND timeline = ?", [
    viewerId,
    home,
  ]); // PRIMARY
  return row && bigintOf(row.activity_id);
}

/** Moves it forward, never back, and answers the one that stands: the greatest that any device said. */
export async function advanceReadPosition(db: Statements, viewerId: bigint, activityId: bigint): Promise<bigint> {
  await db.exec(
    "INSERT INTO read_position (viewer_id, timeline, activity_id) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE activity_id = GREATEST(activity_id, VALUES(activity_id))", // PRIMARY
    [viewerId, home, activityId],
  );
  return (await readPosition(db, viewerId)) ?? activityId;
}
