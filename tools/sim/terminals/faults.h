/* faults.h - the trouble that simulated terminals make on purpose. */
#pragma once

#include "sim/terminals/fleet.h"

/* Gives the roles (slow readers, half-open ones), spread over the fleet. */
void faults_plan(struct fleet *f, uint64_t slow, uint64_t half_open);

/* Sending begins; sending has ended, and everybody behaves from now on. */
void faults_begin(struct fleet *f);
void faults_end(struct fleet *f);

void faults_turn(struct fleet *f);
int64_t faults_due_ns(const struct fleet *f);
