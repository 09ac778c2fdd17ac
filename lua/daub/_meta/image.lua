---@meta daub.core.image
-- C module: pictures in and out. Pixels are daub.Array u8 {height, width, 3} (RGB) unless said otherwise; rows may be a cut-out
-- view (narrow), the pixels of a row must lie side by side. Misuse raises.
-- The world's failures return nil, message, code ("decode", "io", "memory", "interrupted").
local M = {}

---@class daub.PictureInfo
---@field format "jpeg"|"png"|"gif"|"bmp"|"tga"|"webp"
---@field width integer upright, as decoded
---@field height integer
---@field channels integer as stored: 1 grey, 2 grey+alpha, 3 colour, 4 colour+alpha or CMYK
---@field frames integer more than 1 for animations, whose first frame is decoded
---@field orientation integer EXIF 1 … 8, already applied

---@class daub.DecodeOptions
---@field max_pixels? number default 50e6
---@field max_bytes? number default 64 MiB
---@field timeout? number seconds for one picture, default 20

-- Decodes bytes by content in a sandboxed child process (kept for the next call). Applies EXIF orientation, puts alpha on
-- white; grey, palette, CMYK and 16-bit become RGB u8. Pictures that are cut short or damaged are refused.
---@param source string|{path: string} the picture's bytes, or where they are
---@param o? daub.DecodeOptions
---@return daub.Array|nil pixels
---@return daub.PictureInfo|string info_or_message
---@return string? code
function M.decode(source, o) end

-- Many at once, in `workers` children (default 1). A child that crashes or takes too long is replaced, its picture reported.
-- With looks = true the children measure what they decode and keep its pixels: results have `phash` and `statistics` (as the
-- functions below give them), which costs this process next to nothing.
---@param o? daub.DecodeOptions|{workers: integer, looks: boolean?}
---@return daub.core.Decoder
function M.decoder(o) end

---@class daub.Decoded
---@field id any
---@field pixels daub.Array?
---@field phash string?     with looks, in place of the pixels
---@field statistics table? with looks, too
---@field info daub.PictureInfo?
---@field error string?     in place of all but the id
---@field code string?

---@class daub.core.Decoder
local D = {}
-- Queues without waiting. `id` is any value, handed back with the result; files are read when their turn comes.
---@param id any
---@param source string|{path: string} the picture's bytes, or where they are
function D:submit(id, source) end
-- What is finished, waiting up to `seconds` (default 0) for the first; an empty list when nothing is.
---@param seconds? number
---@return daub.Decoded[]|nil
---@return string? message when interrupted
---@return string? code
function D:poll(seconds) end
function D:pending() end ---@return integer submitted and not yet handed out
function D:close() end   -- drops what is pending

-- From the header alone, without a child and without limits: size as stored (before EXIF orientation).
---@param bytes string a picture or its beginning
---@return string|nil format
---@return integer|string width_or_message
---@return integer|string height_or_code
function M.probe(bytes) end

function M.sandbox() end ---@return "seccomp"|"limits" what confines the children here

-- pixels: u8 {h, w} or {h, w, 1|3|4}. JPEG puts alpha on white. Misuse raises.
function M.encode_png(pixels) end            ---@return string
function M.encode_jpeg(pixels, quality) end  ---@return string quality 1..100, default 90
function M.encode_webp(pixels, quality) end  ---@return string quality 1..100, default 85

-- An animated WebP that repeats for ever; frames are kept encoded. quality 1..100, default 80. Misuse raises.
---@return daub.core.Animation
function M.animation(width, height, quality) end

---@class daub.core.Animation
local Animation = {}
function Animation:add(pixels, milliseconds) end -- u8, of the animation's size
function Animation:finish() end                  ---@return string the file; no frame can follow
function Animation:close() end                   -- lets go of it; finish() does not

-- u8 or f32, {h, w} or {h, w, 1 … 4}; the same out. o: filter "box", "triangle", "mitchell" (default when shrinking),
-- "catmullrom" (default otherwise), "lanczos3" (all threads); linear = true filters light instead of sRGB values (u8 only).
function M.resize(pixels, width, height, o) end ---@return daub.Array

-- Text to print, by libchafa: sixel, kitty, iTerm2 or half blocks, as the environment says. At most columns x rows cells.
function M.terminal(pixels, columns, rows) end ---@return string

-- Perceptual hash: 64-bit DCT hash of the 32x32 grey picture, 16 hex digits; and the number of bits two differ in.
function M.phash(pixels) end ---@return string
function M.phash_distance(a, b) end ---@return integer 0 … 64
-- mean 0 … 255 a channel; stddev of the luma 0 … 127.5; flat: share of pixels in the most common colour of 4 bits a channel
---@return {mean: number[], stddev: number, flat: number}
function M.statistics(pixels) end

return M
