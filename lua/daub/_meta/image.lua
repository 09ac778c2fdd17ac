---@meta daub.core.image
-- C module: pictures in and out. Pixels are daub.Array u8 {height, width, 3} (RGB) unless said otherwise.
-- The world's failures return nil, message, code ("decode", "io", "memory", "interrupted").
local M = {}

-- Decodes bytes by content in a sandboxed child process. o: max_pixels (default 50e6), max_bytes (64 MiB),
-- timeout (seconds, 20). Applies EXIF orientation, puts alpha on white; grey, CMYK and 16-bit become RGB u8.
---@return daub.Array|nil pixels, string|table info_or_message, string? code  info: {format, width, height, channels, frames}
function M.decode(bytes, o) end
-- Many at once, pulled: submit(id, bytes or path) … poll(timeout) -> {{id=, pixels=, info=} or {id=, error=, code=}, …}
function M.decoder(o) end        -- o as above and workers = n; methods submit, poll, pending, close
function M.probe(bytes) end      -- format, width, height from the header only, or nil, message, code

function M.encode_png(pixels) end            -- string; pixels u8 {h, w, 1|3|4}
function M.encode_jpeg(pixels, quality) end  -- string; quality 1..100
function M.encode_webp(pixels, quality) end
-- filter: "mitchell" (down), "catmullrom", "lanczos3" (own), "box", "triangle"; in sRGB unless linear
function M.resize(pixels, width, height, o) end
function M.terminal(pixels, columns, rows) end -- string to print, by libchafa

-- perceptual hash: 64-bit DCT hash of the 32x32 grey picture, 16 hex digits; and the bit distance of two
function M.phash(pixels) end
function M.phash_distance(a, b) end
function M.statistics(pixels) end -- {mean={r,g,b}, stddev=, flat= share of pixels in the most common 4-bit colour}

return M
