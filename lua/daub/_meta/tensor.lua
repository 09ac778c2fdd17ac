---@meta daub.tensor.methods
-- The methods of a tensor, for editors and for reading. Dimensions and indices are 1-based, negative
-- ones count from the end; `dim` is a number, a list of numbers or nil for all of them. Methods whose
-- name ends in _ change their tensor and return it; all others return a new tensor.
-- Misuse raises, naming the method and the shapes.

---@class daub.Tensor
local T = {}

-- facts
function T:numel() end               ---@return integer
function T:ndim() end                ---@return integer
function T:dim() end                 -- ndim
function T:size(dim) end             -- the shape, or one size of it
function T:is_contiguous() end       ---@return boolean
function T:is_leaf() end             -- made by no op
function T:is_floating_point() end   -- f32, f64 or bf16

-- out of the tensor
function T:item() end                -- the one element as a Lua number
function T:totable() end             -- nested tables; a number without dimensions
function T:totable_flat() end        -- all elements, row by row
function T:tobytes() end             -- little-endian, row by row
function T:view() end                -- FFI pointer to the first element, 0-based; contiguous tensors only

-- gradients
function T:backward(gradient, o) end -- adds to the grad of every leaf; o: retain_graph, create_graph
function T:detach() end              -- the same memory without its history
function T:requires_grad_(on) end    -- leaves only

-- arithmetic: with a tensor (broadcast) or a number; also + - * / ^ % and unary -
function T:add(y) end
function T:sub(y) end
function T:mul(y) end
function T:div(y) end                -- integers become f32
function T:pow(y) end
function T:fmod(y) end               -- the sign of the dividend
function T:remainder(y) end          -- the sign of the divisor
function T:atan2(x) end
function T:maximum(y) end
function T:minimum(y) end

-- element by element
function T:neg() end
function T:abs() end
function T:sign() end
function T:exp() end
function T:expm1() end
function T:log() end
function T:log1p() end
function T:sqrt() end
function T:rsqrt() end
function T:reciprocal() end
function T:square() end
function T:sin() end
function T:cos() end
function T:tanh() end
function T:sigmoid() end
function T:softplus() end
function T:erf() end
function T:relu() end
function T:leaky_relu(slope) end     -- slope 0.01 when left out
function T:floor() end
function T:ceil() end
function T:round() end               -- halves to even
function T:trunc() end
function T:clamp(low, high) end      -- either may be nil
function T:masked_fill(mask, value) end -- value where mask is not 0
function T:where(condition, y) end   -- itself where condition is not 0, y elsewhere

-- comparisons and tests: u8, 0 or 1
function T:eq(y) end
function T:ne(y) end
function T:lt(y) end
function T:le(y) end
function T:gt(y) end
function T:ge(y) end
function T:isnan() end
function T:isfinite() end
function T:logical_not() end

-- reductions
function T:sum(dim, keepdim) end
function T:mean(dim, keepdim) end
function T:prod(dim, keepdim) end
function T:var(dim, keepdim, o) end  -- o: correction (1)
function T:std(dim, keepdim, o) end  -- o: correction (1)
function T:norm(dim, keepdim, o) end -- o: p (2)
function T:max(dim, keepdim) end     -- with one dimension: values, indices
function T:min(dim, keepdim) end     -- with one dimension: values, indices
function T:amax(dim, keepdim) end
function T:amin(dim, keepdim) end
function T:argmax(dim, keepdim) end  -- i64; in flatten() when dim is nil
function T:argmin(dim, keepdim) end
function T:any(dim, keepdim) end     -- u8
function T:all(dim, keepdim) end     -- u8
function T:logsumexp(dim, keepdim) end

-- along one dimension
function T:cumsum(dim) end
function T:sort(dim, descending) end -- values, indices; dim defaults to the last
function T:topk(k, dim) end          -- values, indices

-- products
function T:matmul(y) end             -- batches broadcast; vectors are rows on the left, columns on the right
function T:mm(y) end                 -- matmul
function T:bmm(y) end                -- matmul
function T:dot(y) end                -- of two vectors

-- shape: views where the strides allow it. Sizes as one table or as several numbers.
function T:reshape(...) end          -- one size may be -1
function T:permute(...) end
function T:transpose(a, b) end
function T:t() end                   -- of a matrix
function T:narrow(dim, start, length) end
function T:select(dim, index) end    -- drops dim; x[i] is x:select(1, i)
function T:expand(...) end           -- repeats sizes of 1; -1 keeps a size
function T:expand_as(y) end
function T:unsqueeze(dim) end
function T:squeeze(dim) end          -- all sizes of 1 when dim is nil
function T:flatten(first, last) end
function T:split(size, dim) end      -- a list of tensors
function T:chunk(count, dim) end     -- a list of tensors

-- copies
function T:clone() end
function T:contiguous() end          -- itself when it is already
function T:to(dtype) end             -- itself when it has that dtype
function T:float() end               -- to "f32"
function T:double() end              -- to "f64"
function T:tile(...) end
function T:pad(pads, value) end      -- pads: {{before, after}, …}; negative crops
function T:flip(dims) end
function T:roll(shift, dim) end
function T:index_select(dim, idx) end         -- idx: list or whole-number tensor
function T:index_add(dim, idx, source) end
function T:gather(dim, idx) end
function T:scatter_add(dim, idx, source) end
function T:zeros_like(o) end         -- o: dtype, requires_grad
function T:ones_like(o) end
function T:full_like(value, o) end
function T:rand_like(o) end          -- o: dtype, requires_grad, generator
function T:randn_like(o) end

-- in place
function T:add_(y, o) end            -- o: alpha, multiplies y first
function T:sub_(y, o) end            -- o: alpha
function T:mul_(y) end
function T:div_(y) end
function T:neg_() end
function T:abs_() end
function T:exp_() end
function T:log_() end
function T:sqrt_() end
function T:square_() end
function T:reciprocal_() end
function T:tanh_() end
function T:sigmoid_() end
function T:relu_() end
function T:floor_() end
function T:round_() end
function T:clamp_(low, high) end
function T:lerp_(y, weight) end      -- x + weight * (y - x)
function T:copy_(y) end              -- broadcasts and converts
function T:fill_(value) end
function T:zero_() end
function T:normal_(mean, std, o) end -- 0, 1; o: generator
function T:uniform_(low, high, o) end -- 0, 1; o: generator

return T
