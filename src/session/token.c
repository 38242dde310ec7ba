#include "session/token.h"

/* The old functions: the new ones allocate, and what fails to leaves no hash. */
#define OPENSSL_SUPPRESS_DEPRECATED
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
    SHA256_CTX sum;
    int ok = SHA256_Init(&sum) && SHA256_Update(&sum, token.data, token.size) &&
             SHA256_Final(hash, &sum);

    assert(ok);
    OPENSSL_cleanse(&sum, sizeof(sum));
}

bool token_hash_fits(const uint8_t hash[HASH_SIZE], const uint8_t shown[HASH_SIZE])
{
    return CRYPTO_memcmp(hash, shown, HASH_SIZE) == 0;
}

void token_wipe(char token[TOKEN_SIZE])
{
    OPENSSL_cleanse(token, TOKEN_SIZE);
}
