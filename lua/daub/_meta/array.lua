---@meta daub.core.array
-- C module: arrays without gradients. lua/daub/tensor.lua wraps it; scripts seldom need it.
-- Dimensions and indices are 1-based, negative dimensions count from the end. Every function returns a
-- new array unless its name ends in _, which changes its first argument in place and returns it.
-- Misuse raises an error that names the operation and the shapes or dtypes.

---@class daub.Array userdata with metatable "daub.array"; all functions of arrays are its methods too
local M = {}

-- bf16 is for storage only (cast, copies, views); u8 is also the type of conditions.
---@alias daub.Dtype "f32"|"f64"|"bf16"|"u8"|"i32"|"i64"

-- creation; dtype defaults to f32
function M.new(shape, dtype) end                 -- contents undefined
function M.full(shape, value, dtype) end
function M.arange(start, past_last, step, dtype) end -- step defaults to 1
function M.linspace(first, last, count, dtype) end
function M.from(values, shape, dtype) end        -- values: flat table of numbers, row-major
function M.from_string(bytes, shape, dtype) end  -- copies raw little-endian bytes

-- reading
function M.shape(a) end      ---@return integer[]
function M.dtype(a) end      ---@return daub.Dtype
function M.numel(a) end
function M.ndim(a) end
function M.strides(a) end    ---@return integer[]
function M.is_contiguous(a) end
function M.item(a) end       -- the one element as a Lua number
function M.totable(a) end    -- flat table, row-major
function M.tostring(a) end   -- raw bytes, row-major
function M.pointer(a) end    -- lightuserdata: first element; the caller keeps `a` alive and contiguous

-- views (share storage)
function M.reshape(a, shape) end   -- one size may be -1; copies when strides do not allow a view
function M.permute(a, dims) end
function M.narrow(a, dim, start, length, step) end -- step defaults to 1
function M.select(a, dim, index) end               -- drops dim; a negative index counts from the end
function M.expand(a, shape) end                    -- broadcast with stride 0; cannot be written

-- copies
function M.clone(a) end          -- contiguous
function M.contiguous(a) end     -- itself when it is already
function M.cast(a, dtype) end    -- floats to integers: towards 0, the nearest that fits, NaN to 0
function M.copy_(a, source) end  -- broadcasts and converts
function M.fill_(a, value) end
function M.release_(a) end       -- gives its share of the memory back now; using it then raises
function M.tidy() end            -- collects garbage if arrays grew by much: for when a graph was let go
function M.concat(arrays, dim) end -- dim defaults to 1
function M.flip(a, dims) end       -- dims: a number, a list, or nil for all
function M.pad(a, pads, value) end -- pads: {{before, after}, …} per dim; negative crops

-- Element by element. neg abs sign square exp expm1 log log1p sqrt rsqrt reciprocal sin cos tanh sigmoid
-- softplus relu floor ceil round (half to even) trunc erf; isnan isfinite logical_not (these give u8).
-- neg abs sign square logical_not work on integers as well.
-- With `out` (may be an operand) the result is written there: it has the result's shape and dtype.
function M.unary(op, a, out) end
-- add sub mul div pow max min fmod atan2 eq ne lt le gt ge (comparisons give u8), leaky_relu(x, slope),
-- tanh_grad(y, g) = g*(1 - y*y), sigmoid_grad(y, g) = g*y*(1 - y). Either a or b may be a Lua number, not
-- both; it takes the array's dtype. Two arrays must have one dtype. max and min hand NaN on.
function M.binary(op, a, b, out) end
-- where(cond u8, a, b), addcmul(a, b, c) = a + b*c, leaky_relu_grad(x, g, slope) = x > 0 and g or slope*g;
-- b and c may be Lua numbers. tanh_grad(y, g) and sigmoid_grad(y, g) are found here as well.
function M.ternary(op, a, b, c, out) end

-- Reductions over `dims` (a number, a list, or nil for all). op: sum mean sumsq prod max min any all.
-- Sums and products of integers are i64, any and all u8; mean is for floats. f32 sums are accurate.
function M.reduce(op, a, dims, keepdim) end
function M.argmax(a, dim, keepdim) end    -- i64, 1-based; without dim the row-major position
function M.argmin(a, dim, keepdim) end
function M.sort(a, dim, descending) end   ---@return daub.Array values, daub.Array indices (i64, 1-based)
function M.cumsum(a, dim) end             -- integers give i64

-- Products of f32 or f64. Leading dims broadcast. ta, tb: use the transpose of the last two.
function M.matmul(a, b, ta, tb) end

-- indexing: idx is i64 or i32, 1-based, checked
function M.index_select(a, dim, idx) end          -- idx 1-d
function M.index_add_(a, dim, idx, source) end    -- a[.., idx[k], ..] += source[.., k, ..]
function M.gather(a, dim, idx) end                -- as torch.gather
function M.scatter_add_(a, dim, idx, source) end  -- source has idx's shape

-- random numbers. A generator is userdata; its state is {seed, counter} as two decimal strings.
function M.generator(seed) end                    -- seed: number or decimal string
function M.generator_state(g) end                 ---@return string seed, string counter
function M.set_generator_state(g, seed, counter) end
function M.uniform(g, shape, dtype) end           -- [0,1)
function M.normal(g, shape, dtype) end            -- N(0,1)
function M.integers(g, low, past_high, shape, dtype) end -- dtype defaults to i64
function M.permutation(g, n) end                  -- i64, 1-based

-- One pass over parameters (f32 or f64), split over the threads in blocks of the whole. Every argument
-- before the options is an array, or a list of arrays as long as the first; all of one dtype, what belongs
-- together of one shape. Parameters and buffers: contiguous and apart in memory; gradients need not be
-- contiguous. Formulas and their order are PyTorch's. The first argument is returned.
-- o: lr, momentum, dampening, nesterov, weight_decay, first (true: the buffer becomes the gradient)
function M.sgd_step_(p, g, momentum_buffer, o) end
-- o: lr, alpha, eps, momentum, weight_decay, centered; buffers that these do not need may be nil
function M.rmsprop_step_(p, g, square_avg, momentum_buffer, grad_avg, o) end
-- o: lr, beta1, beta2, eps, weight_decay, step (from 1), decoupled (AdamW)
function M.adam_step_(p, g, exp_avg, exp_avg_sq, o) end
function M.lerp_(a, b, weight) end                -- a += weight*(b - a): EMA; one `a` may be a view

-- Batch normalisation over all but the last axis, and the leaky ReLU after it (lua/daub/ops/norm.lua holds
-- the plain formulas): z = (x - mean) * invstd * weight + bias, y = z < 0 and slope * z or z.
-- mean, invstd, weight, bias: {C} of x's dtype, weight and bias may be nil; slope >= 0, nil: 1, none.
-- invstd is 1 / sqrt(variance + eps) of the batch, biased.
---@return daub.Array mean, daub.Array invstd
function M.batch_statistics(x, eps) end
-- Running statistics {C} move by o.momentum towards those of a batch of o.count values; the variance there
-- is divided by count - 1. o.eps is that of invstd.
function M.running_statistics_(running_mean, running_var, mean, invstd, o) end
---@return daub.Array y
function M.normalise(x, mean, invstd, weight, bias, slope) end
---@return daub.Array dx, daub.Array dweight, daub.Array dbias given y's gradient g and x's statistics
function M.batch_norm_backward(x, g, mean, invstd, weight, bias, slope) end

-- Whole maps in one pass (lua/daub/ops/maps.lua).
-- x + t * w: x {…, C}, t {…, 1}, w {C}; inplace: in contiguous x, which is returned
function M.add_outer(x, t, w, inplace) end
-- {N, C}: sums over the places of each picture of a * b. a {N, …, C}, b the same or {N, …, 1}
function M.picture_sums(a, b) end
-- y[n, i, j] = x[n, i + by[n, 1], j + by[n, 2]], 0 outside. x {N, H, W, C} of any dtype, by i64 {N, 2}
function M.shift(x, by) end

return M
