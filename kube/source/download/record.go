package download

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"time"

	"portico.dev/portico/kube/source/store"
)

// Kind is what files of downloads are called in the store.
const Kind = "Download"

// record is all that is known of a place: what it held, and how the last attempt went.
type record struct {
	validators
	// URL is for people who look into the store.
	URL      string `json:"url"`
	Revision string `json:"revision,omitempty"`
	// Content is the digest of the file with the content; empty where nothing was fetched.
	Content string `json:"content,omitempty"`
	// At is when the server said last that this is what it holds, Tried when it was asked last.
	At    time.Time `json:"at,omitzero"`
	Tried time.Time `json:"tried,omitzero"`
	// Failures counts attempts that failed in a row; Problem is why the last one did, and Missing
	// says that the server has nothing there.
	Failures int    `json:"failures,omitempty"`
	Problem  string `json:"problem,omitempty"`
	Missing  bool   `json:"missing,omitempty"`

	files map[string]string
}

func (r record) copy() Copy {
	return Copy{Files: r.files, Revision: r.Revision, At: r.At, Problem: r.Problem, Missing: r.Missing, Tried: !r.Tried.IsZero()}
}

// after is the record after an attempt.
func (r record) after(got found, err error, now time.Time) record {
	r.Tried = now
	if err != nil {
		r.Failures, r.Problem, r.Missing = r.Failures+1, words(err), errors.Is(err, errMissing)
		return r
	}
	r.Failures, r.Problem, r.Missing, r.At, r.validators = 0, "", false, now, got.validators
	if got.files != nil {
		r.Revision = got.revision
		if !maps.Equal(got.files, r.files) {
			r.files, r.Content = got.files, ""
		}
	}
	return r
}

// shelf keeps records in a store; without one it keeps nothing.
type shelf struct{ store *store.Store }

const recordFile = "record.json"

func (p Place) key() store.Key {
	in := p.Secret.Namespace
	if in == "" {
		in = "public"
	}
	return store.Key{Kind: Kind, Namespace: in, Name: p.id()}
}

// load reads the record of a place; it is empty where there is none that can be read.
func (s shelf) load(p Place) record {
	out, err := s.read(p)
	if err != nil {
		return record{URL: p.URL} // it is fetched anew
	}
	return out
}

func (s shelf) read(p Place) (record, error) {
	if s.store == nil {
		return record{}, fs.ErrNotExist
	}
	text, err := s.file(p, recordFile)
	if err != nil {
		return record{}, err
	}
	out, err := decode(text)
	if err != nil || out.Content == "" {
		return out, err
	}
	if text, err = s.file(p, out.Content+".json"); err != nil {
		return record{}, err
	}
	sum := sha256.Sum256(text)
	if hex.EncodeToString(sum[:]) != out.Content {
		return record{}, errors.New("the content is not what the record says")
	}
	return out, json.Unmarshal(text, &out.files)
}

func decode(text []byte) (record, error) {
	var out record
	if err := json.Unmarshal(text, &out); err != nil {
		return record{}, err
	}
	if out.URL == "" || out.Tried.IsZero() || out.Failures < 0 {
		return record{}, errors.New("it is no record of a download")
	}
	return out, nil
}

func (s shelf) file(p Place, name string) ([]byte, error) {
	f, err := s.store.Open(p.key().Path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return bounded(f, 8*most) // as JSON, a byte may take six
}

// save writes a record: its content first, if it is new, so that no record names content that is
// not there.
func (s shelf) save(ctx context.Context, p Place, r record) (record, error) {
	if r.files != nil && r.Content == "" {
		text, err := json.Marshal(r.files)
		if err != nil {
			return r, fmt.Errorf("keeping %s: %w", p.URL, err)
		}
		sum := sha256.Sum256(text)
		digest := hex.EncodeToString(sum[:])
		if err := s.put(ctx, p, digest+".json", text); err != nil {
			return r, err
		}
		r.Content = digest
	}
	text, err := json.Marshal(r)
	if err != nil {
		return r, fmt.Errorf("keeping %s: %w", p.URL, err)
	}
	if err := s.put(ctx, p, recordFile, text); err != nil || s.store == nil {
		return r, err
	}
	files, err := s.store.Files(p.key())
	if err != nil {
		return r, err
	}
	return r, s.store.Remove(store.Obsolete(files, p.key().Path(recordFile), p.key().Path(r.Content+".json"))...)
}

func (s shelf) put(ctx context.Context, p Place, name string, text []byte) error {
	if s.store == nil {
		return nil
	}
	_, err := s.store.Put(ctx, p.key().Path(name), func(_ context.Context, w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	return err
}

// forget removes all that is kept of a place.
func (s shelf) forget(p Place) error {
	if s.store == nil {
		return nil
	}
	return s.store.RemoveAll(p.key())
}
