// What the examples do not show of framewire.hpp: failed connections, moved ones, and callbacks that throw.
#include <framewire.hpp>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

#define CHECK(condition)                                       \
    do {                                                       \
        if (!(condition)) {                                    \
            std::fprintf(stderr, "wrapper.cpp:%d\n", __LINE__); \
            std::exit(1);                                      \
        }                                                      \
    } while (0)

// Three texts of one letter each, masked with a key of zero bytes, and half of a fourth.
std::vector<std::uint8_t> wire() {
    std::vector<std::uint8_t> bytes;
    for (const char letter : {'a', 'b', 'c', 'd'})
        for (const int byte : {0x81, 0x81, 0, 0, 0, 0, int(letter)}) bytes.push_back(static_cast<std::uint8_t>(byte));
    bytes.resize(bytes.size() - 3);
    return bytes;
}

void failed() {
    fw_config config{};
    config.extension_bits = 1;
    framewire::connection none(framewire::role::server, config);
    CHECK(none.init_error() == framewire::error(FW_E_ARGUMENT));
    auto bytes = wire();
    const auto error = none.receive({bytes.data(), bytes.size()}, [](const fw_event &) { std::abort(); });
    CHECK(error == framewire::error(FW_E_STATE));
    CHECK(!framewire::connection(framewire::role::client).init_error());
}

void moved() {
    framewire::connection first(framewire::role::server);
    framewire::connection second(std::move(first));
    CHECK(second.state() == framewire::state::open && !second.init_error());
    CHECK(first.message(framewire::kind::text, 1).error() == framewire::error(FW_E_STATE));
    CHECK(first.init_error() == framewire::error(FW_E_STATE));
    first = std::move(second);
    CHECK(first.message(framewire::kind::text, 1).size() == 2);
    auto &same = first;
    first = std::move(same);
    CHECK(first.state() == framewire::state::open);
}

// A callback that throws at the second event: the bytes are taken up behind it, and nothing else is lost.
void throwing() {
    framewire::connection ws(framewire::role::server);
    auto bytes = wire();
    framewire::bytes read(bytes.data(), bytes.size());
    std::string seen;
    bool thrown = false;
    const auto on_event = [&](const fw_event &event) {
        seen += framewire::bytes(event.data, event.len).text();
        if (seen == "ab") throw std::runtime_error("once");
    };
    try {
        ws.receive(read, on_event);
    } catch (const std::runtime_error &) {
        thrown = true;
    }
    CHECK(thrown && seen == "ab" && read.data() == bytes.data() + 14);
    CHECK(!ws.receive(read, on_event) && seen == "abc" && read.empty());
    std::uint8_t rest[] = {0, 0, 'd'};
    CHECK(!ws.receive({rest, 2}, on_event) && seen == "abc");
    const framewire::bytes last(rest + 2, 1);
    CHECK(!ws.receive(last, on_event) && seen == "abcd" && last.size() == 1);
}

} // namespace

int main() {
    failed();
    moved();
    throwing();
}
