# The door: every task by one name. The build itself is meson's (meson.build).
.PHONY: all deps build demo check torture instruments lint bench bench-requests install clean
all: build/unpin

# Debian and Ubuntu packages that the build and the tests need; does nothing where all are there.
deps:
	@tools/deps

build/build.ninja: meson.build
	@command -v meson >/dev/null && command -v ninja >/dev/null || tools/deps
	meson setup build >/dev/null

build/unpin: build/build.ninja FORCE
	@ninja -C build --quiet

FORCE:

check: deps
	@tools/check

# Transactions killed, starved and cut off at every call, on every kind of file system that can be mounted here; disks as
# power cuts leave them; the program under strace; what the tests notice; and next to pip and uv. Takes hours.
torture: build/unpin
	@tools/torture
	@python3 tests/fault/power.py && python3 tests/fault/power.py --overlay --every 4
	@python3 tests/fault/strace_kills.py && python3 tests/fault/strace_kills.py --overlay --every 4
	@python3 tests/fault/scarce.py
	@python3 tests/fault/mutants.py
	@python3 tests/bench/kills.py --kills 250 --peer-kills 50

# The main job under ThreadSanitizer and under valgrind.
instruments:
	@tools/instruments

# Times and results next to uv and pip on 296 distributions, and a sample of the judged requests: half an hour at first
# (tests/bench/bench.py says what it makes, and where).
bench: build/unpin
	@python3 tests/bench/bench.py

# All judged requests, on every environment (hours at first).
bench-requests: build/unpin
	@python3 tests/bench/bench.py requests --resume

# A plan for a vendor image, from the catalog and recorded answers of the index: works without network.
demo: deps build/unpin
	build/unpin plan nvidia-modelopt==0.27.0 --image ngc-pytorch:25.04 --offline --cache-dir build/demo-cache

# Order of the modules, sizes, format, warnings, and what clang's analyzer finds: all of them rules.
lint: build/build.ninja
	@tools/lint

# PREFIX=/usr/local by default; DESTDIR as usual.
install: build/unpin
	@[ -z "$(PREFIX)" ] || meson configure build --prefix "$(abspath $(PREFIX))"
	@meson install -C build --quiet

clean:
	rm -rf build build-san build-tsan build-debug
