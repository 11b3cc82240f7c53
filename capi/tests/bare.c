/* Links the static library without std, and uses levels 1 to 3 and the handshake. The exit status is the check that failed. */
#include <framewire.h>
#include <framewire/handshake.h>
#include <string.h>
int main(void) {
    static fw_connection c;
    uint8_t wire[] = {0x81,0x85,0x37,0xfa,0x21,0x3d,0x7f,0x9f,0x4d,0x51,0x58};
    uint8_t *data = wire; size_t len = sizeof wire; fw_event e; uint8_t out[131];
    if (fw_init(&c, sizeof c, FW_SERVER, 0)) return 1;
    if (fw_receive(&c, &data, &len, &e) != 1 || e.len != 5 || memcmp(e.data, "Hello", 5) || fw_receive(&c,&data,&len,&e) != 0) return 2;
    if (fw_message(&c, FW_TEXT, 0, 5, 0, out, sizeof out) != 2) return 3;
    char a[FW_ACCEPT_SIZE];
    if (fw_accept_key("dGhlIHNhbXBsZSBub25jZQ==", 24, a) || strcmp(a, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")) return 4;
    return 0;
}
