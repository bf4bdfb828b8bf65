/* JSON numbers as int64 and double, and back to text, exactly and whatever the locale. */
#ifndef NUMBER_H
#define NUMBER_H

#include <stddef.h>
#include <stdint.h>

enum { NUMBER_TEXT_MAX = 24 };

/* Of a JSON number: is it written as whole, within int64 and not as -0, so that it prints as it was written? */
int number_read_integer(const uint8_t *text, size_t length, int64_t *value);

/* Of a JSON number: is it written with a fraction or an exponent, and a plain double (see below) whose shortest
 * decimal is just this number? Then nothing but its spelling is lost. */
int number_read_double(const uint8_t *text, size_t length, double *value);

/* Zero, or from 1e-4 to below 1e15: what every printer writes without an exponent. */
int number_is_plain(double value);

uint8_t *number_print_integer(uint8_t *out, int64_t value);

/* The shortest decimal that reads back as the plain double, with at least one digit after the point; at most
 * NUMBER_TEXT_MAX bytes. Returns its end. */
uint8_t *number_print_double(uint8_t *out, double value);

#endif
