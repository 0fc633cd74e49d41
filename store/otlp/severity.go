package otlp

// severityOf is the number of the words that senders use where they give no number.
var severityOf = map[string]uint8{
	"TRACE": 1, "Trace": 1, "trace": 1,
	"DEBUG": 5, "Debug": 5, "debug": 5,
	"INFO": 9, "Info": 9, "info": 9, "Information": 9,
	"Normal": 9,
	"WARN":   13, "Warn": 13, "warn": 13, "WARNING": 13, "Warning": 13, "warning": 13,
	"ERROR": 17, "Error": 17, "error": 17, "ERR": 17, "err": 17,
	"FATAL": 21, "Fatal": 21, "fatal": 21, "PANIC": 21, "panic": 21, "CRITICAL": 21, "critical": 21,
}
