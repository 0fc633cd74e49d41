package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// MaxSize bounds the bytes that one archive may unpack to: a small archive must not be able to
// fill the disk.
const MaxSize = 512 << 20

// ErrTooLarge says that an archive holds more than MaxSize bytes.
var ErrTooLarge = errors.New("archive is too large")

// File is one regular file of an archive.
type File struct {
	// Name is the path inside the archive, with slashes, relative.
	Name string
	// Mode tells whether the file is executable; other bits are ignored.
	Mode fs.FileMode
	// Data is the content.
	Data []byte
}

// Pack writes the files as a tar.gz to w, sorted by name.
func Pack(w io.Writer, files []File) error {
	p := newPacker(w)
	sorted := slices.SortedFunc(slices.Values(files), func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range sorted {
		if err := p.add(f.Name, f.Mode, int64(len(f.Data)), bytes.NewReader(f.Data)); err != nil {
			return err
		}
	}
	return p.close()
}

// PackDir writes the regular files below dir as a tar.gz to w. The function keep is asked for
// each file and folder, by its path inside dir; a folder that is not kept is not entered.
// A nil keep keeps everything.
func PackDir(w io.Writer, dir string, keep func(name string, isDir bool) bool) error {
	p := newPacker(w)
	// WalkDir visits names in lexical order, which makes the result reproducible.
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || file == dir {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		kept := keep == nil || keep(name, d.IsDir())
		switch {
		case d.IsDir() && !kept:
			return fs.SkipDir
		case d.IsDir() || !kept || !d.Type().IsRegular():
			return nil
		}
		return p.addFile(name, file)
	})
	if err != nil {
		return fmt.Errorf("packing %s: %w", dir, err)
	}
	return p.close()
}

type packer struct {
	zip *gzip.Writer
	tar *tar.Writer
}

func newPacker(w io.Writer) *packer {
	zip := gzip.NewWriter(w)
	return &packer{zip: zip, tar: tar.NewWriter(zip)}
}

func (p *packer) addFile(name, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return p.add(name, info.Mode(), info.Size(), f)
}

func (p *packer) add(name string, mode fs.FileMode, size int64, content io.Reader) error {
	head := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644}
	if mode&0o111 != 0 {
		head.Mode = 0o755
	}
	if err := p.tar.WriteHeader(head); err != nil {
		return fmt.Errorf("packing %s: %w", name, err)
	}
	if _, err := io.Copy(p.tar, content); err != nil {
		return fmt.Errorf("packing %s: %w", name, err)
	}
	return nil
}

func (p *packer) close() error {
	if err := p.tar.Close(); err != nil {
		return fmt.Errorf("ending the archive: %w", err)
	}
	if err := p.zip.Close(); err != nil {
		return fmt.Errorf("ending the archive: %w", err)
	}
	return nil
}

// Files reads the regular files of a tar.gz, in the archive's order.
func Files(r io.Reader) ([]File, error) {
	var files []File
	err := each(r, func(name string, mode fs.FileMode, content io.Reader) error {
		data, err := io.ReadAll(content)
		files = append(files, File{Name: name, Mode: mode, Data: data})
		return err
	})
	return files, err
}

// Unpack writes the regular files of a tar.gz below dir, which must exist.
func Unpack(r io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpacking: %w", err)
	}
	defer root.Close()
	return each(r, func(name string, mode fs.FileMode, content io.Reader) error {
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return fmt.Errorf("unpacking %s: %w", name, err)
		}
		f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
		if err != nil {
			return fmt.Errorf("unpacking %s: %w", name, err)
		}
		_, err = io.Copy(f, content)
		return errors.Join(err, f.Close())
	})
}

func each(r io.Reader, visit func(string, fs.FileMode, io.Reader) error) error {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("reading the archive: %w", err)
	}
	left := int64(MaxSize)
	for entries := tar.NewReader(zip); ; {
		head, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the archive: %w", err)
		}
		if head.Typeflag != tar.TypeReg {
			continue
		}
		name := path.Clean(head.Name)
		if !filepath.IsLocal(name) {
			return fmt.Errorf("reading the archive: %q leads out of it", head.Name)
		}
		if left -= head.Size; left < 0 {
			return fmt.Errorf("reading the archive: %w: more than %d MiB", ErrTooLarge, MaxSize>>20)
		}
		mode := fs.FileMode(0o644)
		if head.Mode&0o111 != 0 {
			mode = 0o755
		}
		if err := visit(name, mode, entries); err != nil {
			return err
		}
	}
}
