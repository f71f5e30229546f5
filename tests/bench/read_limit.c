/* How fast WASM reads memory: the sum of everything between two addresses, in eight independent
   chains so that only memory can be the limit. */

typedef int Vector __attribute__((vector_size(16)));
enum { CHAINS = 8 };

__attribute__((export_name("read"))) int read(const Vector *from, int vectors) {
  Vector sums[CHAINS] = {0};
  for (int i = 0; i < vectors; i += CHAINS)
    for (int chain = 0; chain < CHAINS; chain++) sums[chain] += from[i + chain];
  for (int chain = 1; chain < CHAINS; chain++) sums[0] += sums[chain];
  return sums[0][0] + sums[0][1] + sums[0][2] + sums[0][3];
}
