---@meta daub.core.conv
-- C module: convolution, pooling and resampling on NHWC arrays without gradients (f32 fast, f64 plain).
-- x: {N, H, W, C}; weight: {kh, kw, C / groups, O}; y: {N, OH, OW, O}; OH = (H + 2*pad_h - kh) / stride_h + 1 (floor).
-- o: {stride = {sh, sw}, padding = {ph, pw}, groups = 1} (all optional).
local M = {}

function M.conv2d(x, weight, bias, o) end                    -- bias: {O} or nil
-- gradient of conv2d with respect to x, which is also conv_transpose2d's forward (dy -> x)
function M.conv2d_input_grad(dy, weight, height, width, o) end
function M.conv2d_weight_grad(x, dy, kh, kw, o) end          -- {kh, kw, C / groups, O}

-- o: {kernel = {kh, kw}, stride = {sh, sw} (default kernel), padding = {ph, pw}, count_include_pad = true}
function M.avg_pool2d(x, o) end
function M.avg_pool2d_grad(dy, height, width, o) end
function M.max_pool2d(x, o) end           ---@return daub.Array y, daub.Array index (i64: h*W + w, 0-based)
function M.max_pool2d_grad(dy, index, height, width) end      -- scatters by index
function M.max_pool2d_gather(x, index) end                    -- gathers by index (the gradient's gradient)
function M.adaptive_avg_pool2d(x, oh, ow) end
function M.adaptive_avg_pool2d_grad(dy, height, width) end
function M.upsample_nearest(x, oh, ow) end
function M.upsample_nearest_grad(dy, height, width) end
function M.upsample_bilinear(x, oh, ow, align_corners) end    -- PyTorch's rule
function M.upsample_bilinear_grad(dy, height, width, align_corners) end

-- Multiply-adds in registers on all threads, to be timed by the caller: `rounds` (about 10^5 for a millisecond)
-- of some dozens in each of eight jobs per thread. Returns the number of floating-point operations done.
function M.peak(rounds) end

return M
