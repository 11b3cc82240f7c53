/* Runs the checks of the library beside it; the exit status is the number of the one that failed. */

int framewire_checks(void);

/* Named in core's unwind tables, as core is compiled to unwind; what is built here aborts and never calls it. */
void rust_eh_personality(void) {}

int main(void) { return framewire_checks(); }
