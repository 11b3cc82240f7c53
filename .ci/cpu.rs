//! What this processor can do, of what the codec looks for.

fn main() {
    println!(
        "ssse3={} avx2={} avx512={}",
        is_x86_feature_detected!("ssse3"),
        is_x86_feature_detected!("avx2"),
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi2"),
    );
}
