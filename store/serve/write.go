package serve

import (
	"encoding/binary"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"

	"portico.dev/portico/store/keep"
	"portico.dev/portico/store/otlp"
	"portico.dev/portico/store/pace"
)

const (
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
)

// write keeps what an OTLP request carries.
func (h *Handler) write(signal otlp.Signal) action {
	return func(w http.ResponseWriter, r *http.Request, user User) {
		h.metrics.writes.Add(1)
		// The place bounds how many bodies are in memory.
		select {
		case h.writes <- struct{}{}:
			defer func() { <-h.writes }()
		case <-r.Context().Done():
			return
		}
		pace.Hurry(w, r, h.cfg.BodyBytes)
		request, err := h.request(w, r, user)
		if err != nil {
			h.refuse(w, err)
			return
		}
		request.Signal = signal
		result, err := h.keeper.Write(r.Context(), request)
		if err != nil {
			h.refuse(w, err)
			return
		}
		accept(w, request.Format, result)
	}
}

func (h *Handler) refuse(w http.ResponseWriter, err error) {
	h.metrics.refused.Add(1)
	fail(w, h.status(err), err)
}

func (h *Handler) request(w http.ResponseWriter, r *http.Request, user User) (keep.Request, error) {
	tenant, err := writeTenant(r, user)
	if err != nil {
		return keep.Request{}, err
	}
	request := keep.Request{Tenant: tenant, Arrival: h.clock()}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err == nil && media == protobufType:
		request.Format = otlp.Protobuf
	case err == nil && media == jsonType:
		request.Format = otlp.JSON
	default:
		return keep.Request{}, fmt.Errorf("%w: Content-Type %q: expected %s or %s", errArgument, r.Header.Get("Content-Type"), protobufType, jsonType)
	}
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
		request.Compression = keep.None
	case "gzip":
		request.Compression = keep.Gzip
	case "zstd":
		request.Compression = keep.Zstd
	default:
		return keep.Request{}, fmt.Errorf("%w: Content-Encoding %q: expected gzip or zstd", errArgument, encoding)
	}
	if r.ContentLength > h.cfg.BodyBytes {
		return keep.Request{}, fmt.Errorf("%w: %d bytes: expected at most %d", keep.ErrTooBig, r.ContentLength, h.cfg.BodyBytes)
	}
	request.Body, err = body(http.MaxBytesReader(w, r.Body, h.cfg.BodyBytes), r.ContentLength)
	return request, err
}

// body reads a body whose length may be known.
func body(from io.Reader, length int64) ([]byte, error) {
	if length < 0 {
		data, err := io.ReadAll(from)
		return data, unread(err)
	}
	data := make([]byte, length)
	_, err := io.ReadFull(from, data)
	return data, unread(err)
}

func unread(err error) error {
	if err != nil {
		return fmt.Errorf("%w: reading the body: %w", errArgument, err)
	}
	return nil
}

// accept answers as OTLP says: what was not kept is a partial success.
func accept(w http.ResponseWriter, format otlp.Format, result keep.Result) {
	if format == otlp.JSON {
		answer := map[string]any{}
		if result.Rejected > 0 {
			answer["partialSuccess"] = map[string]string{
				"rejectedLogRecords": strconv.Itoa(result.Rejected), "rejectedSpans": strconv.Itoa(result.Rejected), "errorMessage": result.Reason,
			}
		}
		reply(w, http.StatusOK, answer)
		return
	}
	w.Header().Set("Content-Type", protobufType)
	var answer []byte
	if result.Rejected > 0 {
		answer = partialSuccess(result)
	}
	// The one who sent it may be gone.
	_, _ = w.Write(answer)
}

// partialSuccess is OTLP's message in protobuf, the same for logs and traces: field 1 of the answer, in
// which 1 is the count and 2 the reason.
func partialSuccess(result keep.Result) []byte {
	partial := binary.AppendUvarint([]byte{1 << 3}, uint64(result.Rejected))
	partial = binary.AppendUvarint(append(partial, 2<<3|2), uint64(len(result.Reason)))
	partial = append(partial, result.Reason...)
	return append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(partial))), partial...)
}
