/* LOLWUT: the version, and on request a picture: "Schotter" (gravel) after Georg Nees, 1968. Squares in rows, the lower
 * the more they are out of place. Drawn into a bitmap and shown in Braille characters, each 2 dots wide and 4 high. */
#include "handlers.h"

#include "base/mem.h"
#include "base/random.h"
#include "server/server.h"

#include <math.h>

struct bitmap {
    int width, height; /* in dots */
    unsigned char *dots;
};

static void set_dot(struct bitmap *bitmap, int x, int y)
{
    if (x >= 0 && x < bitmap->width && y >= 0 && y < bitmap->height)
        bitmap->dots[(size_t)y * (size_t)bitmap->width + (size_t)x] = 1;
}

static void draw_line(struct bitmap *bitmap, double x, double y, double to_x, double to_y)
{
    int steps = (int)ceil(fmax(fabs(to_x - x), fabs(to_y - y))) + 1;

    for (int i = 0; i <= steps; i++)
        set_dot(bitmap, (int)lround(x + (to_x - x) * i / steps),
                (int)lround(y + (to_y - y) * i / steps));
}

static void draw_square(struct bitmap *bitmap, double x, double y, double side, double angle)
{
    double radius = side / sqrt(2);

    angle += M_PI / 4;
    for (int i = 0; i < 4; i++, angle += M_PI / 2)
        draw_line(bitmap, x + radius * cos(angle), y + radius * sin(angle),
                  x + radius * cos(angle + M_PI / 2), y + radius * sin(angle + M_PI / 2));
}

/* Between -1 and 1. */
static double random_offset(void)
{
    uint32_t bits;

    random_bytes(&bits, sizeof bits);
    return (double)bits / UINT32_MAX * 2 - 1;
}

static void draw_gravel(struct bitmap *bitmap, int per_row, int per_column, double side)
{
    for (int row = 0; row < per_column; row++) {
        double disorder = per_column == 1 ? 0 : (double)row / (per_column - 1);
        for (int column = 0; column < per_row; column++) {
            double x = (column + 0.5 + disorder * random_offset() * 0.4) * side;
            double y = (row + 0.5 + disorder * random_offset() * 0.4) * side;
            draw_square(bitmap, x, y, side, disorder * random_offset() * M_PI / 4);
        }
    }
}

static void show(const struct bitmap *bitmap, struct buf *out)
{
    /* Which bit of a Braille character each of its dots is, row by row. */
    static const unsigned char bits[4][2] = {
        {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};

    for (int y = 0; y < bitmap->height; y += 4) {
        for (int x = 0; x < bitmap->width; x += 2) {
            unsigned shape = 0;
            for (int i = 0; i < 4 && y + i < bitmap->height; i++)
                for (int j = 0; j < 2 && x + j < bitmap->width; j++)
                    if (bitmap->dots[(size_t)(y + i) * (size_t)bitmap->width + (size_t)(x + j)])
                        shape |= bits[i][j];
            buf_append_char(out, (char)0xe2); /* U+2800 and the shape, in UTF-8 */
            buf_append_char(out, (char)(0xa0 | shape >> 6));
            buf_append_char(out, (char)(0x80 | (shape & 0x3f)));
        }
        buf_append_char(out, '\n');
    }
}

static void append_picture(struct buf *out, int columns, int per_row, int per_column)
{
    struct bitmap bitmap = {.width = columns * 2};
    double side = (double)(bitmap.width - 1) / per_row;

    bitmap.height = (int)(side * per_column) + 1;
    bitmap.dots = mem_zalloc((size_t)bitmap.width * (size_t)bitmap.height);
    draw_gravel(&bitmap, per_row, per_column, side);
    show(&bitmap, out);
    mem_free(bitmap.dots);
    buf_printf(out, "\nGeorg Nees - schotter, plotter on paper, 1968. ");
}

/* An optional number among the arguments, kept within 1 and `most`. */
static enum err read_size(struct call *call, int index, int most, int *size)
{
    int64_t value;

    if (call->argc <= index) return OK;
    TRY(call_arg_int64(call, index, &value));
    *size = value < 1 ? 1 : value > most ? most : (int)value;
    return OK;
}

enum err cmd_lolwut(struct call *call)
{
    int columns = 66, per_row = 8, per_column = 12;
    int64_t version = 0;
    struct buf out = {0};

    if (call->argc >= 3 && call_arg_is(call, 1, "VERSION")) {
        TRY(call_arg_int64(call, 2, &version));
        if (version == 5) {
            TRY(read_size(call, 3, 1000, &columns));
            TRY(read_size(call, 4, 200, &per_row));
            TRY(read_size(call, 5, 200, &per_column));
            append_picture(&out, columns, per_row, per_column);
        }
    }
    buf_printf(&out, "Redis ver. %s\n", REDIS_VERSION);
    reply_verbatim(call->reply, "txt", buf_span(&out));
    buf_release(&out);
    return OK;
}
