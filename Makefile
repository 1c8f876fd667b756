# The door: every task by one name. The build itself is meson's (meson.build).
.PHONY: all deps build demo check lint bench clean
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

# Times and results next to uv and pip on 296 distributions (tests/bench/bench.py says what it makes, and where).
bench: build/unpin
	@python3 tests/bench/bench.py

clean:
	rm -rf build build-san
