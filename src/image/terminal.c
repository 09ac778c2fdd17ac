// Pictures in the terminal, by libchafa.
#include <chafa.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/memory.h"
#include "image/internal.h"

// Shape of a character cell in pixels, as the terminal tells it, or a usual one.
static void cell_size(int *width, int *height) {
    struct winsize w;
    *width = 8;
    *height = 16;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || !w.ws_col || !w.ws_row) return;
    if (w.ws_xpixel < w.ws_col || w.ws_ypixel < w.ws_row) return;
    *width = w.ws_xpixel / w.ws_col;
    *height = w.ws_ypixel / w.ws_row;
}

static ChafaPixelMode pixel_mode(ChafaTermInfo *terminal) {
    if (chafa_term_info_have_seq(terminal, CHAFA_TERM_SEQ_BEGIN_KITTY_IMMEDIATE_IMAGE_V1))
        return CHAFA_PIXEL_MODE_KITTY;
    if (chafa_term_info_have_seq(terminal, CHAFA_TERM_SEQ_BEGIN_ITERM2_IMAGE))
        return CHAFA_PIXEL_MODE_ITERM2;
    if (chafa_term_info_have_seq(terminal, CHAFA_TERM_SEQ_BEGIN_SIXELS))
        return CHAFA_PIXEL_MODE_SIXELS;
    return CHAFA_PIXEL_MODE_SYMBOLS;
}

static ChafaCanvasMode canvas_mode(ChafaTermInfo *terminal) {
    if (chafa_term_info_have_seq(terminal, CHAFA_TERM_SEQ_SET_COLOR_FGBG_DIRECT))
        return CHAFA_CANVAS_MODE_TRUECOLOR;
    if (chafa_term_info_have_seq(terminal, CHAFA_TERM_SEQ_SET_COLOR_FGBG_256))
        return CHAFA_CANVAS_MODE_INDEXED_240;
    if (chafa_term_info_have_seq(terminal, CHAFA_TERM_SEQ_SET_COLOR_FGBG_16))
        return CHAFA_CANVAS_MODE_INDEXED_16;
    return CHAFA_CANVAS_MODE_FGBG;
}

static ChafaCanvas *make_canvas(ChafaTermInfo *terminal, const daub_pixels *in, int columns,
                                int rows) {
    int cell_w, cell_h;
    cell_size(&cell_w, &cell_h);
    chafa_calc_canvas_geometry((int)in->width, (int)in->height, &columns, &rows,
                               (float)cell_w / (float)cell_h, TRUE, FALSE);
    ChafaCanvasConfig *config = chafa_canvas_config_new();
    ChafaPixelMode mode = pixel_mode(terminal);
    chafa_canvas_config_set_geometry(config, columns > 0 ? columns : 1, rows > 0 ? rows : 1);
    chafa_canvas_config_set_cell_geometry(config, cell_w, cell_h);
    chafa_canvas_config_set_pixel_mode(config, mode);
    chafa_canvas_config_set_canvas_mode(config, mode == CHAFA_PIXEL_MODE_SYMBOLS
                                                    ? canvas_mode(terminal)
                                                    : CHAFA_CANVAS_MODE_TRUECOLOR);
    ChafaSymbolMap *symbols = chafa_symbol_map_new();
    chafa_symbol_map_add_by_tags(symbols, CHAFA_SYMBOL_TAG_SPACE | CHAFA_SYMBOL_TAG_VHALF |
                                              CHAFA_SYMBOL_TAG_HHALF | CHAFA_SYMBOL_TAG_SOLID);
    chafa_canvas_config_set_symbol_map(config, symbols);
    chafa_symbol_map_unref(symbols);
    ChafaCanvas *canvas = chafa_canvas_new(config);
    chafa_canvas_config_unref(config);
    return canvas;
}

daub_status daub_terminal_picture(const daub_pixels *in, int columns, int rows, char **out,
                                  size_t *size) {
    if (in->is_float || (in->channels != 3 && in->channels != 4))
        return daub_fail(DAUB_INVALID, "terminal: u8 pixels with 3 or 4 channels expected");
    if (columns < 1 || rows < 1 || columns > 4096 || rows > 4096)
        return daub_fail(DAUB_INVALID, "terminal: 1 to 4096 columns and rows expected, got %d x %d",
                         columns, rows);
    gchar **environment = g_get_environ();
    ChafaTermInfo *terminal = chafa_term_db_detect(chafa_term_db_get_default(), environment);
    g_strfreev(environment);
    ChafaCanvas *canvas = make_canvas(terminal, in, columns, rows);
    chafa_canvas_draw_all_pixels(
        canvas, in->channels == 4 ? CHAFA_PIXEL_RGBA8_UNASSOCIATED : CHAFA_PIXEL_RGB8, in->data,
        (int)in->width, (int)in->height, (int)in->row_bytes);
    GString *text = chafa_canvas_print(canvas, terminal);
    *out = daub_alloc(text->len + 1);
    if (*out) {
        memcpy(*out, text->str, text->len + 1);
        *size = text->len;
    }
    g_string_free(text, TRUE);
    chafa_canvas_unref(canvas);
    chafa_term_info_unref(terminal);
    return *out ? DAUB_OK : DAUB_NO_MEMORY;
}
