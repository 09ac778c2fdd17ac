---@meta daub.core.conv
-- C module: convolution, pooling and resampling on NHWC arrays without gradients (f32 fast, f64 plain).
-- x: {N, H, W, C}; weight: {kh, kw, C / groups, O}; y: {N, OH, OW, O}; OH = (H + 2*pad_h - kh) / stride_h + 1 (floor).
-- All functions return new arrays of their input's dtype; shapes and options that do not fit raise. Results do not
-- depend on the number of threads. Where a pair is expected, one number stands for both.
local M = {}

---@class daub.core.ConvOptions
---@field stride (integer|integer[])? rows, columns; 1 unless given
---@field padding (integer|integer[])? zeros on every side; 0 unless given
---@field groups integer? channels and filters are cut into as many independent parts

---@class daub.core.PoolOptions
---@field kernel integer|integer[]
---@field stride (integer|integer[])? the kernel unless given
---@field padding (integer|integer[])? at most half the kernel
---@field count_include_pad boolean? averages divide by the whole kernel's area (true unless given)

---@param x daub.Array {N, H, W, C}
---@param weight daub.Array {kh, kw, C / groups, O}
---@param bias daub.Array? {O}
---@param o daub.core.ConvOptions?
---@param slope number? of the leaky ReLU of the convolution that y then is, at least 0
---@return daub.Array y {N, OH, OW, O}
function M.conv2d(x, weight, bias, o, slope) end

---The gradient of conv2d with respect to x, which is also conv_transpose2d's forward (dy -> x).
---@param dy daub.Array {N, OH, OW, O}
---@param weight daub.Array {kh, kw, C / groups, O}
---@param height integer
---@param width integer
---@param o daub.core.ConvOptions?
---@return daub.Array dx {N, height, width, C}
function M.conv2d_input_grad(dy, weight, height, width, o) end

---@param x daub.Array {N, H, W, C}
---@param dy daub.Array {N, OH, OW, O}
---@param kh integer
---@param kw integer
---@param o daub.core.ConvOptions?
---@return daub.Array dw {kh, kw, C / groups, O}
function M.conv2d_weight_grad(x, dy, kh, kw, o) end

---@param x daub.Array
---@param o daub.core.PoolOptions
---@return daub.Array y
function M.avg_pool2d(x, o) end
---@param dy daub.Array
---@param height integer
---@param width integer
---@param o daub.core.PoolOptions
---@param sum? daub.Array contiguous {N, height, width, C}: dx is added to it, and it is returned
---@return daub.Array dx {N, height, width, C}
function M.avg_pool2d_grad(dy, height, width, o, sum) end

---A NaN counts as largest.
---@param x daub.Array
---@param o daub.core.PoolOptions
---@return daub.Array y, daub.Array index i64 of y's shape: h * W + w of each maximum, 0-based
function M.max_pool2d(x, o) end
---Adds every dy to the place its index names; an index outside the picture raises.
---@param dy daub.Array
---@param index daub.Array
---@param height integer
---@param width integer
---@return daub.Array dx {N, height, width, C}
function M.max_pool2d_grad(dy, index, height, width) end
---Takes every value from the place its index names (the gradient of max_pool2d_grad).
---@param x daub.Array
---@param index daub.Array
---@return daub.Array y of index's shape
function M.max_pool2d_gather(x, index) end

---@param x daub.Array
---@param oh integer
---@param ow integer
---@return daub.Array y {N, oh, ow, C}
function M.adaptive_avg_pool2d(x, oh, ow) end
---@param dy daub.Array
---@param height integer
---@param width integer
---@return daub.Array dx {N, height, width, C}
function M.adaptive_avg_pool2d_grad(dy, height, width) end

---@param x daub.Array
---@param oh integer
---@param ow integer
---@return daub.Array y {N, oh, ow, C}
function M.upsample_nearest(x, oh, ow) end
---@param dy daub.Array
---@param height integer
---@param width integer
---@return daub.Array dx {N, height, width, C}
function M.upsample_nearest_grad(dy, height, width) end
---@param x daub.Array
---@param oh integer
---@param ow integer
---@param align_corners boolean? the corner pixels' centres keep their places
---@return daub.Array y {N, oh, ow, C}
function M.upsample_bilinear(x, oh, ow, align_corners) end
---@param dy daub.Array
---@param height integer
---@param width integer
---@param align_corners boolean?
---@return daub.Array dx {N, height, width, C}
function M.upsample_bilinear_grad(dy, height, width, align_corners) end

---How convolutions are computed in the whole process, after setting it when `name` is given: by the table of
---choices ("table"), or wherever there is a choice directly or by Winograd's filtering.
---@param name ("table"|"direct"|"winograd")?
---@return string
function M.algorithm(name) end

---What the products of f32 convolutions may be rounded to in the whole process, after setting it when `name` is
---given: nothing ("f32"), or "bf16" where that is faster (with algorithm "direct": everywhere but in groups). Sums
---stay f32, and so does everything in memory. Raises where the processor has no bf16 products (system.info().bf16).
---@param name ("f32"|"bf16")?
---@return string
function M.precision(name) end

---What the choice of algorithm goes by: multiply-adds of the direct convolution, those of Winograd's and the
---numbers it transforms (0 where it does not fit), and whether it is chosen.
---@param direction "forward"|"input_grad"|"weight_grad"
---@param shape integer[] {N, H, W, C, kernel, O}
---@param o daub.core.ConvOptions?
---@return number direct
---@return number winograd
---@return number transformed
---@return boolean chosen
function M.work(direction, shape, o) end

---Multiply-adds of the precision set, in registers on all threads, to be timed by the caller: some dozens in
---each round of each of eight jobs per thread (10^5 rounds take some milliseconds).
---@param rounds integer
---@return number operations how many floating-point operations were done
function M.peak(rounds) end

return M
