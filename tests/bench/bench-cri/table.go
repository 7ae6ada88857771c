// SPDX-License-Identifier: Apache-2.0

// Tables of figures, and the goals that some of them have.
package main

import (
	"fmt"
	"sort"
	"sync"
	"time"
)

type table struct {
	title string
	unit  string
	mu    sync.Mutex
	names []string
	rows  map[string]map[*server][]float64
}

func newTable(title, unit string) *table {
	return &table{title: title, unit: unit, rows: map[string]map[*server][]float64{}}
}

func (t *table) add(s *server, name string, value float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rows[name] == nil {
		t.rows[name] = map[*server][]float64{}
		t.names = append(t.names, name)
	}
	t.rows[name][s] = append(t.rows[name][s], value)
}

func ms(since time.Time) float64 { return float64(time.Since(since).Microseconds()) / 1000 }

// timed measures one call; a call that fails ends the benchmark.
func (t *table) timed(s *server, name string, call func() error) {
	start := time.Now()
	if err := call(); err != nil {
		die("%s: %s: %v", s.name, name, err)
	}
	t.add(s, name, ms(start))
}

func median(v []float64) float64 {
	sort.Float64s(v)
	return v[len(v)/2]
}

func spread(v []float64) string {
	if !*verbose {
		return ""
	}
	sort.Float64s(v)
	return fmt.Sprintf("(%.2f .. %.2f)", v[0], v[(len(v)*99+99)/100-1])
}

// goal is an upper bound: of the ratio to the other server, or of our own figure.
type goal struct {
	title, row string
	ratio      bool
	limit      float64
	value      float64
	known      bool
}

var promised = []goal{
	{title: "pods with CNI", row: "= pod start", ratio: true, limit: 0.6},
	{title: "pods on the host network", row: "= pod start", ratio: true, limit: 0.45},
	{title: "pods on the host network", row: "  CPU of a pod start", ratio: true, limit: 0.4},
	{title: "memory", row: "daemon with 50 pods", limit: 10},
	{title: "memory", row: "a pod, of 50", limit: 0.6},
	{title: "lists of 50 pods", row: "ListContainerStats", limit: 10},
	{title: "pull", row: "PullImage", ratio: true, limit: 0.4},
	{title: "pull", row: "  CPU of the pull", ratio: true, limit: 0.6},
	{title: "pull", row: "  peak memory, MB of PSS", limit: 60},
	{title: "restart with 10 pods", row: "start until ready", ratio: true, limit: 0.2},
}

func (t *table) note(row string, ours, ratio float64) {
	for i := range promised {
		g := &promised[i]
		if g.title != t.title || g.row != row {
			continue
		}
		g.value, g.known = ours, true
		if g.ratio {
			g.value = ratio
		}
	}
}

func (t *table) print(l serverList) {
	fmt.Printf("\n%-36s %10s %10s %8s\n", t.title+", "+t.unit, l[0].name, l[1].name, "ratio")
	for _, name := range t.names {
		a, b := t.rows[name][l[0]], t.rows[name][l[1]]
		if len(a) == 0 || len(b) == 0 {
			continue
		}
		ours, theirs := median(a), median(b)
		ratio := 0.0
		if theirs > 0 {
			ratio = ours / theirs
		}
		fmt.Printf("%-36s %10.2f %10.2f %8.2f  %s\n", name, ours, theirs, ratio, spread(a)+spread(b))
		t.note(name, ours, ratio)
	}
}

func printGoals() {
	fmt.Printf("\n%-58s %8s %8s\n", "goal", "at most", "is")
	for _, g := range promised {
		if !g.known {
			continue
		}
		what := g.title + ": " + g.row
		if g.ratio {
			what += " (ratio)"
		}
		verdict := "met"
		if g.value > g.limit {
			verdict = "missed"
		}
		fmt.Printf("%-58s %8.2f %8.2f  %s\n", what, g.limit, g.value, verdict)
	}
}
