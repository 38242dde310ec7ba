#include "session/token.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <sys/random.h>

static_assert(SHA256_DIGEST_LENGTH == HASH_SIZE, "as it is stored");

void token_make(char token[TOKEN_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[TOKEN_SIZE / 2];
    ssize_t n = getrandom(bytes, sizeof(bytes), 0);

    assert(n == sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        token[2 * i] = digits[bytes[i] >> 4];
        token[2 * i + 1] = digits[bytes[i] & 15];
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
}

void token_hash(struct slice token, uint8_t hash[HASH_SIZE])
{
    (void)SHA256(token.data, token.size, hash);
}

bool token_hash_fits(const uint8_t hash[HASH_SIZE], const uint8_t shown[HASH_SIZE])
{
    return CRYPTO_memcmp(hash, shown, HASH_SIZE) == 0;
}

void token_wipe(char token[TOKEN_SIZE])
{
    OPENSSL_cleanse(token, TOKEN_SIZE);
}
