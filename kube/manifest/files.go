package manifest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"

	"portico.dev/portico/fleet"
)

const (
	// MaxSize bounds the bytes of all files of a source: they are held in memory.
	MaxSize = 64 << 20
	// MaxFiles bounds their number.
	MaxFiles = 20_000
)

// Files reads the regular files of a tar.gz. It refuses, with fleet.ErrInvalid, what is no
// such archive, and what unpacks to more than MaxSize bytes or MaxFiles files.
func Files(archive []byte) (map[string]string, error) {
	files, err := unpack(archive)
	if err != nil {
		return nil, fmt.Errorf("reading the source's archive: %w: %w", fleet.ErrInvalid, err)
	}
	return files, nil
}

func unpack(archive []byte) (map[string]string, error) {
	zip, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	files, left := map[string]string{}, int64(MaxSize)
	// The bound is on everything that is unpacked: heads and links count, too.
	for entries := tar.NewReader(io.LimitReader(zip, MaxSize+MaxFiles*1024)); ; {
		head, err := entries.Next()
		switch {
		case errors.Is(err, io.EOF):
			return files, nil
		case err != nil:
			return nil, err
		case head.Typeflag != tar.TypeReg:
			continue
		}
		name := path.Clean(head.Name)
		if !filepath.IsLocal(name) {
			return nil, fmt.Errorf("%q leads out of it", head.Name)
		}
		if left -= head.Size; left < 0 || head.Size < 0 {
			return nil, fmt.Errorf("it holds more than %d MiB: leave out of the source what is not needed", MaxSize>>20)
		}
		if len(files) == MaxFiles {
			return nil, fmt.Errorf("it holds more than %d files: leave out of the source what is not needed", MaxFiles)
		}
		data, err := io.ReadAll(io.LimitReader(entries, head.Size))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[name] = string(data)
	}
}
