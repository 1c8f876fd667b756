/* unpin - the command line. */
#include <stdio.h>

int main(void) {
    (void)puts("unpin");
    return 0;
}
