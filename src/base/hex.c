#include "base/hex.h"

int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int hex_byte(const char *text)
{
    int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

    return low < 0 ? -1 : high << 4 | low;
}

void hex_write(struct slice bytes, char *to)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.size; i++) {
        *to++ = digits[bytes.data[i] >> 4];
        *to++ = digits[bytes.data[i] & 15];
    }
}

int hex_read(struct slice digits, struct buf *to)
{
    size_t size = digits.size / 2;
    uint8_t *at = buf_try_reserve(to, size);

    if (digits.size % 2)
        return ERR_INVALID;
    if (!at)
        return ERR_NOMEM;
    for (size_t i = 0; i < size; i++) {
        int byte = hex_byte((const char *)digits.data + 2 * i);

        if (byte < 0)
            return ERR_INVALID;
        at[i] = (uint8_t)byte;
    }
    buf_commit(to, size);
    return OK;
}
