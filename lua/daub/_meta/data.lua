---@meta daub.core.data
-- C module: pictures of one size packed into one mapped file, and batches of them prepared beside the step.
-- The world's failures return nil, message, code ("io", "decode", "memory"); misuse raises.
local M = {}

-- A file under construction, with room for `count` pictures; it appears under `path` when finished.
---@return daub.core.DatasetWriter|nil writer, string? message, string? code
function M.writer(path, width, height, count) end
---@return daub.core.Dataset|nil dataset, string? message, string? code
function M.open(path) end -- checks header, size and checksum

---@class daub.core.DatasetWriter
local W = {}
function W:put(index, id, pixels) end -- index 1 … count, any order; id: 64 characters; pixels: u8 {height, width, 3}
function W:finish() end               -- pictures kept | nil, message, code; pictures never put leave no gap
function W:abandon() end

---@class daub.core.Dataset
local D = {}
function D:info() end             -- {count, width, height}
function D:picture(index) end     -- u8 {height, width, 3}, a copy
function D:id(index) end
function D:distances(pixels) end  -- f32 {count}: root mean square difference of 24x8 thumbnails, 0 … 1
-- o: batch (32), seed (1), start (number of the first batch, 0), zoom (1: none; 0.85: every other picture shows a random
-- part of 0.85 to 1 of each side), mirror (false). Batch n depends on these alone.
---@return daub.core.Loader
function D:loader(o) end
function D:close() end

---@class daub.core.Loader
local L = {}
function L:next() end     -- f32 {batch, height, width, 3}, -1 … 1; i64 {batch}: which pictures of the dataset these are, from 1
function L:position() end -- number of the batch that next gives
function L:close() end

return M
