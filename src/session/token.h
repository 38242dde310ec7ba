/* token.h - secrets that are told once, and what is kept of them: their SHA-256. */
#pragma once

#include "base/buf.h"

#define TOKEN_SIZE 32 /* hex digits */
#define HASH_SIZE  32 /* bytes */

/* 128 random bits. */
void token_make(char token[TOKEN_SIZE]);
void token_hash(struct slice token, uint8_t hash[HASH_SIZE]);
/* In a time that does not tell where they differ. */
bool token_hash_fits(const uint8_t hash[HASH_SIZE], const uint8_t shown[HASH_SIZE]);
/* Leaves nothing of it in memory. */
void token_wipe(char token[TOKEN_SIZE]);
