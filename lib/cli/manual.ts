// The manual as people read it: its topics, the one about lb.conf with every key.

import { type Topic, TOPICS } from "../manual/topics.ts";

/** All topics; that of lb.conf ends with every key. */
export async function wholeManual(): Promise<readonly Topic[]> {
  // The declarations of keys take long to load.
  const { helpConfig } = await import("../config/help.ts");
  return TOPICS.map((topic) =>
    topic.name === "config" ? { ...topic, text: `${topic.text}\n${helpConfig()}` } : topic
  );
}
