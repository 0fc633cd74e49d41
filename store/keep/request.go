package keep

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"portico.dev/portico/store/otlp"
	"portico.dev/portico/store/row"
)

// ErrTooBig means that a request is bigger than it may be.
var ErrTooBig = errors.New("the request is too big")

// Compression says how a request's body is compressed.
type Compression byte

// The compressions of OTLP over HTTP that are understood.
const (
	None Compression = iota
	Gzip
	Zstd
)

// Request is what a sender sent.
type Request struct {
	Signal      otlp.Signal
	Format      otlp.Format
	Compression Compression
	Tenant      string
	Arrival     time.Time
	Body        []byte
}

// Result says what was not kept of a request that was.
type Result struct {
	Rejected int
	Reason   string
}

// entry is the request as it stands in the journal: signal, format, compression, time of arrival,
// length of the tenant, tenant, body.
func (r Request) entry() []byte {
	e := make([]byte, 0, len(r.Body)+len(r.Tenant)+12)
	e = append(e, byte(r.Signal), byte(r.Format), byte(r.Compression))
	e = binary.LittleEndian.AppendUint64(e, uint64(r.Arrival.UnixNano()))
	e = append(e, byte(len(r.Tenant)))
	e = append(e, r.Tenant...)
	return append(e, r.Body...)
}

func parseEntry(e []byte) (Request, error) {
	if len(e) < 12 || len(e) < 12+int(e[11]) {
		return Request{}, fmt.Errorf("%w: an entry of %d bytes", otlp.ErrInvalid, len(e))
	}
	n := 12 + int(e[11])
	return Request{
		Signal: otlp.Signal(e[0]), Format: otlp.Format(e[1]), Compression: Compression(e[2]),
		Arrival: time.Unix(0, int64(binary.LittleEndian.Uint64(e[3:]))), Tenant: string(e[12:n]), Body: e[n:],
	}, nil
}

func (k *Keeper) decodeEntry(data []byte) (*row.Batch, error) {
	r, err := parseEntry(data)
	if err != nil {
		return nil, err
	}
	return k.decode(r)
}

// decode returns the rows of a request.
func (k *Keeper) decode(r Request) (*row.Batch, error) {
	body, err := decompress(r.Compression, r.Body, k.cfg.BodyBytes)
	if err != nil {
		return nil, err
	}
	return otlp.Decode(otlp.Request{Signal: r.Signal, Format: r.Format, Tenant: r.Tenant, Arrival: r.Arrival, Body: body}, k.rules)
}

// decompress returns the body, or ErrTooBig where it is longer than most.
func decompress(how Compression, body []byte, most int64) ([]byte, error) {
	var from io.Reader
	switch how {
	case None:
		return body, nil
	case Gzip:
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, fmt.Errorf("%w: reading gzip: %w", otlp.ErrInvalid, err)
		}
		from = z
	case Zstd:
		z, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(most)+1<<20))
		if err != nil {
			return nil, fmt.Errorf("%w: reading zstd: %w", otlp.ErrInvalid, err)
		}
		defer z.Close()
		from = z
	default:
		return nil, fmt.Errorf("%w: compression %d", otlp.ErrInvalid, how)
	}
	plain := bytes.NewBuffer(make([]byte, 0, min(most, 8*int64(len(body))+512)))
	n, err := io.Copy(plain, io.LimitReader(from, most+1))
	if err != nil {
		return nil, fmt.Errorf("%w: decompressing: %w", otlp.ErrInvalid, err)
	}
	if n > most {
		return nil, fmt.Errorf("%w: more than %d bytes when decompressed", ErrTooBig, most)
	}
	return plain.Bytes(), nil
}
