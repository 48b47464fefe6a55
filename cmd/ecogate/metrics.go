package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// pathMetrics is where the administration listener answers with metrics in the format of Prometheus.
const pathMetrics = "/metrics"

// scrapeTime bounds one answer.
const scrapeTime = 10 * time.Second

// nodeMetrics works out a node's metrics when they are asked for. Instants are seconds since 1970: what is left is for the reader to
// work out, at its own time.
type nodeMetrics struct {
	n                                                         *runningNode
	credential, sourceAge, sourceFailing, messages, handovers *prometheus.Desc
	notices, noticeFailures, noticeEarliest                   *prometheus.Desc
}

var _ prometheus.Collector = (*nodeMetrics)(nil)

func newNodeMetrics(n *runningNode) *nodeMetrics {
	source := []string{"partners", "kind", "source", "credential"}
	return &nodeMetrics{
		n: n,
		credential: prometheus.NewDesc("ecogate_credential_not_after_timestamp_seconds",
			"When a credential stops counting: the end of its validity, or the earlier one that is configured. An own one has no partner.",
			[]string{"partner", "use", "body", "state", "sha256"}, nil),
		sourceAge: prometheus.NewDesc("ecogate_revocation_source_age_seconds",
			"How old what is known from a CRL or OCSP responder is. Absent while nothing is.", source, nil),
		sourceFailing: prometheus.NewDesc("ecogate_revocation_source_failing", "1 if the last attempt at a CRL or OCSP responder was of no use.", source, nil),
		messages:      prometheus.NewDesc("ecogate_messages", "Messages in each state but delivered and accepted.", []string{"state"}, nil),
		handovers: prometheus.NewDesc("ecogate_handovers",
			"What the customs system is given, in each state but confirmed. What is refused waits for an operator.", []string{"state"}, nil),
		notices: prometheus.NewDesc("ecogate_notices_queued", "Notices that wait to be sent, those of digests included.", []string{"channel"}, nil),
		noticeFailures: prometheus.NewDesc("ecogate_notice_recipients_failed", "Recipients to whom nothing is sent any more, since they refused too often or failed for too long.",
			[]string{"channel"}, nil),
		noticeEarliest: prometheus.NewDesc("ecogate_notice_due_timestamp_seconds", "When the notice that waits for the earliest time is due. Absent while none waits.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (m *nodeMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.credential, m.sourceAge, m.sourceFailing, m.messages, m.handovers, m.notices, m.noticeFailures, m.noticeEarliest} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *nodeMetrics) Collect(out chan<- prometheus.Metric) {
	told := map[string]bool{} // what is configured twice is one metric
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		for i := range labels {
			labels[i] = strings.ToValidUTF8(labels[i], "?") // names come from partners' files
		}
		if key := d.String() + strings.Join(labels, "\n"); !told[key] {
			told[key] = true
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
		}
	}
	for _, h := range m.n.Registry.Inventory(m.n.now()) {
		gauge(m.credential, float64(h.Until.Unix()), h.Partner, string(h.Use), h.Issuer, string(h.State), h.Fingerprint())
	}
	for _, s := range m.n.fetcher.Status() {
		partners := strings.Join(s.Partners, ",")
		if !s.ThisUpdate.IsZero() {
			gauge(m.sourceAge, float64(s.AgeSeconds), partners, s.Kind, s.Source, s.Credential)
		}
		failing := 0.0
		if s.Problem != "" {
			failing = 1
		}
		gauge(m.sourceFailing, failing, partners, s.Kind, s.Source, s.Credential)
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	counts, err := m.n.Store.Counts(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(m.messages, err)
		return
	}
	for state, count := range counts {
		gauge(m.messages, float64(count), string(state))
	}
	handovers, err := m.n.handovers.Counts(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(m.handovers, err)
		return
	}
	for state, count := range handovers {
		gauge(m.handovers, float64(count), string(state))
	}
	waiting, err := m.n.notices.Counts(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(m.notices, err)
		return
	}
	for channel, count := range waiting.Queued {
		gauge(m.notices, float64(count), string(channel))
	}
	for channel, count := range waiting.Failed {
		gauge(m.noticeFailures, float64(count), string(channel))
	}
	if !waiting.Earliest.IsZero() {
		gauge(m.noticeEarliest, float64(waiting.Earliest.Unix()))
	}
}

// metrics answers with the metrics of the node and of its process.
func (n *runningNode) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	v := thisVersion()
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ecogate_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": v.Version, "revision": v.Revision, "go": v.Go},
	}, func() float64 { return 1 })
	registry.MustRegister(newNodeMetrics(n), build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: promLog{n}, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 2, Timeout: 2 * scrapeTime,
	})
}

// promLog writes what kept a metric from being told to the node's log.
type promLog struct{ n *runningNode }

// Println implements promhttp.Logger.
func (l promLog) Println(v ...any) { l.n.log.Error("metrics not told", "error", v) }
