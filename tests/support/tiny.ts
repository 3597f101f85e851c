// A network of two inputs and three outputs as textual IR: the smallest that has a kernel, a bias and a clamp.

/** y = max(x·K + b, 0) for x of fixed<4,2,RND,SAT>, K = [[0.5, −1, 1.5], [2, 0, −0.5]], b = [1, 0, −1]. */
export const tinyQir = `qir 1 graph "tiny"
layer "x" "InputLayer" = %0
layer "fc" "Dense" = %1
layer "relu" "ReLU" = %3
output "relu" = %3
%0 = input {name = "x", shape = [2], type = fixed<4,2>, round = RND, overflow = SAT} : [2] fixed<4,2> #0
%1 = dense %0 {kernel = [2, 3] 2^-1 (1, -2, 3, 4, 0, -1), bias = [3] 2^0 (1, 0, -1)} : [3] fixed<7,4> #1
%2 = constant {value = [] 2^0 (0)} : [] ufixed<0,0> #2
%3 = max %1 %2 : [3] ufixed<6,3> #2
`;

/** The same by hand, in floating point: every number involved is exact. */
export function tiny([a, b]: readonly [number, number]): readonly number[] {
  const input = (x: number): number => Math.min(1.75, Math.max(-2, Math.floor(x * 4 + 0.5) / 4));
  const [x, y] = [input(a), input(b)];
  return [0.5 * x + 2 * y + 1, -x, 1.5 * x - 0.5 * y - 1].map((v) => Math.max(v, 0));
}

/** The same network in two parts: the second output is the dense layer's exact result, softmax left to the host. */
export const twoOutputsQir = tinyQir
  .replace('output "relu" = %3\n', 'output "relu" = %3\noutput "fc" = %1 softmax\n')
  .replace('graph "tiny"', 'graph "two"');
