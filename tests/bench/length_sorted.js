/* Batches of texts of about one length, long ones first, so that little is padded: what both peers
   are given. */

const TEXTS = 32, TOKENS = 2048

/** Yields lists of numbers of texts; `lengths` in tokens. */
export function* batches(lengths) {
  const order = lengths.map((_, number) => number).sort((a, b) => lengths[b] - lengths[a])
  let batch = []
  for (const number of order) {
    if (batch.length === TEXTS || lengths[batch[0]] * (batch.length + 1) > TOKENS) {
      yield batch
      batch = []
    }
    batch.push(number)
  }
  if (batch.length) yield batch
}
